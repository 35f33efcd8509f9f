from collections import Counter
import re
import pytest
from tests.flow.test_chaos import *
@pytest.mark.parametrize("variant", ["asked","repeats","two"])
def test_dead(make_world, variant, postgres):
    c=play(make_world, "77", variant, "postgres", 3)
    assert [] == c.world.breaks()
    log=(postgres.folder/"log").read_text(errors="replace")
    print(variant, c.figures(), Counter(re.sub(r"\d+","N",l.split("UTC")[-1].split("] ",1)[-1])[:90] for l in log.splitlines() if re.search("ERROR|FATAL|deadlock|WARNING",l)).most_common(8))
