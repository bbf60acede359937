"""Run: the sessions of one repetition, in a storm or in lock-step, with watchdog and perturbations."""
