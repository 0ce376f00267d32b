"""data/imagenet100.txt from data/imagenet1k.txt: the list of 100 classes that PyCIL and the class-
incremental papers before it use. Needs numpy.

    python3 tests/golden/make_imagenet100.py data/imagenet1k.txt > data/imagenet100.txt

The 1,000 synsets in order are shuffled by numpy's legacy generator with seed 1993; the first 100
of the result, sorted again (as an image folder sorts them), are the subset.
"""
import sys
import numpy

synsets = sorted(line.split()[0] for line in open(sys.argv[1]))
assert len(set(synsets)) == 1000
order = numpy.arange(1000)
numpy.random.RandomState(1993).shuffle(order)
assert list(order[:5]) == [54, 7, 894, 512, 126]  # as printed in the public configurations
print("\n".join(sorted(synsets[i] for i in order[:100])))
