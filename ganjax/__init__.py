"""Generative adversarial networks as pure functions: `import ganjax as gx`.

The names that notebooks use are listed in `__init__.pyi`. Each is imported when
it is first used, so that a program loads only what it needs. Import the other
packages by name, such as `ganjax.training` or `ganjax.config`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
