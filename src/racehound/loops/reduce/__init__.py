"""Reduce: the same finding from a smaller program.

A finding's history is turned into a scene: the statements of a few sessions in the order of their turns. It is run in lock-step,
where a try takes milliseconds and a race shows every time (`transcript`, `guesses`, `scene_passes`, `shorten`). If no scene shows
the finding, the program of the storm is made smaller (`program_passes`). Each candidate is then run until it is clear whether it
shows the finding often enough (`sequential`).
"""
