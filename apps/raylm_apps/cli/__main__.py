"""`python -m raylm_apps.cli` is `raylm`, where nothing is installed."""

from raylm_apps.cli.main import main

main()
