"""What is right, by the tests' plain NumPy twin: this module alone knows where that stands."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from twin import rules
from twin.constraints import Between, Rescaled, at_most
from twin.penalties import Elastic, Groups, Linear, Mcp, Penalty

__all__ = ["Between", "Elastic", "Groups", "Linear", "Mcp", "Penalty", "Rescaled", "at_most", "rules"]
