# tiny: the micro-world on two CPU cores, every row really trained, no network needed.
# Settings of training: tiny.conf, then tiny-teacher.conf, tiny-student.conf or tiny-probe.conf.

SCALE_SETS := shapes
SCALE_THREADS := 1
SCALE_NOTE = Data: the micro-world (48 classes, 32 x 32 pixels), $(SHAPES_TRAIN) training images \
	for the teachers; the share of the students: 100 % are the first $(SHAPES_STUDENTS) of them.

SHAPES_TRAIN := 16000
SHAPES_STUDENTS := 3000
SHAPES_VALID := 2000
SHAPES_TEST := 2000

# Networks by size: teacher and student. Every teacher is wider than its student, or than the stage
# of it that takes its weights.
TEACHER_t := deit-micro-t
TEACHER_s := deit-micro-s
TEACHER_b := deit-micro-b
STUDENT_t := pmamba-micro-t
STUDENT_s := pmamba-micro-s
STUDENT_b := pmamba-micro-b
STUDENT_vim-t := vim-micro-t
STUDENT_vim-s := vim-micro-s
STUDENT_vmamba := vmamba-micro# stages of 1, 1, 2 and 1 blocks on grids of 8, 4, 2 and 1
CLASSES_shapes := 48

TEACHER_FROM := init# trained here, from nothing
SHARE_trans := 100# share of their data that students see unless a row says otherwise, percent
SHARE_scratch := 100

# Sweep: four layers; without a map student and teacher would have to be equally wide.
SWEEP_SKIP := calib-none n_init_layers-6 n_init_layers-9

# The released code's loss wants student and teacher equally wide.
ABLATION_SKIP := rc
