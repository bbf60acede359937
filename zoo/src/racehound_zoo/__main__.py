"""`python -m racehound_zoo`."""

from racehound_zoo.command import main

main()
