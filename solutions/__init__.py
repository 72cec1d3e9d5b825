"""Everything only an instructor holds: the reference library, the misconceptions and the classroom.

One module per topic, readable top to bottom. `solutions` imports `course`, never the other way round.
"""
