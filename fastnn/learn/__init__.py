"""How a machine learns, in seven sections: each computes its numbers here and now, and draws them.

It follows the article "How do we actually teach a machine to learn?" (2023).
"""

from .walk import SECTIONS, run
