"""Reduce: the same finding from a smaller program.

A finding's history is turned into a scene, a few sessions' statements in the order of their turns, which is performed in
lock-step: there a try costs milliseconds and a race shows every time (`transcript`, `guesses`, `scene_passes`, `shorten`). Where
that does not show it, the storm's program is made smaller (`program_passes`), each candidate tried as often as it takes to tell
(`sequential`).
"""
