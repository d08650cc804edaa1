"""Values: how an object of a program becomes a file that has a digest, and a file becomes the object that is asked for.

A step's own process needs this as well as the worker: it is copied beside every function step, whatever environment
that runs in.  So it imports the standard library and the kernel's errors and names alone, and a library of values
(pandas, pyarrow, torch ...) only inside the methods of the format that writes it.

``save.py`` and ``load.py`` are the verbs; ``registry.py`` finds the materializer of a type by its name and imports no
library; ``structure/`` writes what is made of plain values; ``formats/`` has one file a family of types;
``call.py`` is the process of a function step.

Guarantees: equal values give equal bytes; loading imports no module because the data name it, but those of
scikit-learn, numpy and scipy that an estimator may consist of.  Both hold for all but what an author wraps in
``Pickle``, which is written and read only where the deployment allows it.
"""
