"""``python -m tune_reg.cli``."""

from tune_reg.cli.app import main

main()
