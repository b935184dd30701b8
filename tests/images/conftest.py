import sys
from pathlib import Path

# The byte server serves the tests of both doors.
sys.path.insert(0, str(Path(__file__).parents[1] / "hidream"))
