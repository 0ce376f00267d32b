# smoke: a tenth of the steps of tiny, to see that everything works; its numbers mean nothing.
# Settings: those of tiny, then smoke-teacher.conf, smoke-student.conf.

include pipelines/scales/tiny.mk
SCALE_BASE := tiny

LENGTH_NETWORKS ?= deit-micro-t pmamba-micro-t
LENGTH_PIXELS ?= 32 64
