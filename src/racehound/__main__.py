"""`python -m racehound` is `racehound`."""

from racehound.cli.main import main

main()
