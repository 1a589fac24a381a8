"""A DeepSpeed configuration (ds_config.json) in our terms: pure, no torch, no Ray.

What has no counterpart is a warning that names the key; a known key of a wrong value is a
ConfigError. Keys, defaults and meanings are those of DeepSpeed 0.19.8 and its documented
older spellings.
"""

from raylm.train.deepspeed.loading import load_deepspeed
from raylm.train.deepspeed.translation import Translation, is_deepspeed_config, translate

__all__ = ["Translation", "is_deepspeed_config", "load_deepspeed", "translate"]
