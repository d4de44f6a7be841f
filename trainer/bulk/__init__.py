"""Many files in, many files out: shards, what is done of them, and the engines that work on them.

    inputs ─ shards.plan ─→ Shard … ─ an engine (local, …) ─ work.filter_shard ─→ one output a shard, then its marker
                                 └─ manifest: which are done, with which model and options         stats: what became of it

A shard is one input file, or a part of it. Its output appears by rename when it is whole, its marker after it, so a run that
was stopped in whatever way goes on from there. An engine only calls `work.attempt` on jobs; everything it needs and gives
can be pickled. `run.bulk` puts it together.
"""
