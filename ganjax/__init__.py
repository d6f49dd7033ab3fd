"""Generative adversarial networks as pure functions: `import ganjax as gx`.

The names that a notebook uses stand in `__init__.pyi`; each is imported when it
is first used, so that a room of the house loads no other. What trains on a host
(`ganjax.training`), what reads configs (`ganjax.config`) and the other packages
are imported by name where they are wanted.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
