"""``python -m smsengine``."""

from __future__ import annotations

from smsengine.cli.main import main

if __name__ == "__main__":
    main()
