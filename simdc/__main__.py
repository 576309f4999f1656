"""``python -m simdc`` is the command line."""

from simdc.cli.main import main

if __name__ == "__main__":
    main()
