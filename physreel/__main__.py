"""``python -m physreel`` is ``physreel``."""

from physreel.cli import main

if __name__ == "__main__":
    main()
