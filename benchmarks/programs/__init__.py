"""The two sides of each comparison, every one a process of its own that prints its measurements as one JSON object."""

import cutaway as cutaway  # first: it says how torch's threads wait, which must stand before torch is loaded
