"""What --config takes for a config; mistakes are in test_mistakes.py."""

import pytest

from ganjax.config import flag


@pytest.mark.parametrize(
  'content',
  [
    'def get_config(): pass',
    'from configs.dcgan import get_config',
    'from configs.dcgan import preset as get_config',
    'from configs.dcgan import *',
    'get_config = dict',
    'if True:\n  def get_config(): pass\n  own = get_config',
  ],
)
def test_a_config_may_be_imported_or_assigned(content, tmp_path):
  path = tmp_path / 'config.py'
  path.write_text(content)
  flag._check(str(path))
