# small-full: small, with students that see all that its teachers saw.
# Settings: those of small, then small-full-student.conf.

include pipelines/scales/small.mk
SCALE_BASE := small
TEACHERS := build/runs/small
SCALE_NOTE = Data: CIFAR-100 at 64 pixels, 45,000 training images for teachers and students alike, \
	$(CIFAR_HOLDOUT) held out for validation.
undefine STUDENT_FRACTION
