# small: real CIFAR-100 at 64 pixels, for one GPU and under an hour.
# A DeiT with 16 tokens learns less from CIFAR alone than a student does, so teachers have 64 (patch
# 8), pooled 2 x 2 onto the students' grid; students see a fifth of the training set.

SCALE_SETS := cifar100
SIZES ?= t
SCALE_NOTE = Data: CIFAR-100 at 64 pixels, 45,000 training images for the teachers, $(CIFAR_HOLDOUT) \
	held out for validation; the share of the students: 100 % are a share of $(STUDENT_FRACTION), the same \
	number of every class.

CIFAR_HOLDOUT := 5000
STUDENT_FRACTION := 0.2
CLASSES_cifar100 := 100
PACK_cifar100 := --store pixels
PRECISION := bf16

TEACHER_t := deit-t
TEACHER_s := deit-s
TEACHER_b := deit-b
STUDENT_t := pmamba-t
STUDENT_s := pmamba-s
STUDENT_b := pmamba-b
STUDENT_vim-t := vim-t
STUDENT_vim-s := vim-s
STUDENT_vmamba := vmamba-v0-t# 96 wide
TEACHER_SHAPE := --input 64 --patch 8
STUDENT_SHAPE := --input 64 --patch 16
STUDENT_SHAPE_vmamba := --input 64# patches of 4: grids of 16, 8, 4 and 2

TEACHER_FROM := init
SHARE_trans := 100
SHARE_scratch := 100

# What a stage asks a cluster for.
WANTS_train := cores=8 gpus=1 hours=2

# Sweep: twelve layers; the zero-order hold has no form for a GPU.
SWEEP_SKIP := t-zoh n_init_layers-1 n_init_layers-2
