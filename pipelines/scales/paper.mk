# paper: the paper's recipe on CIFAR-100, the ImageNet subset of 100 classes and ImageNet-1K, all at
# 224 pixels, teachers from the published DeiT weights.

SCALE_SETS := cifar100 imagenet100 imagenet
SCALE_NOTE = Validation and test are the same images, as in the released code: the figures of the best \
	epoch are chosen on what they are measured on, those of the last epoch are not.

CLASSES_cifar100 := 100
CLASSES_imagenet100 := 100
CLASSES_imagenet := 1000

TEACHER_t := deit-t
TEACHER_s := deit-s
TEACHER_b := deit-b
STUDENT_t := pmamba-t
STUDENT_s := pmamba-s
STUDENT_b := pmamba-b
STUDENT_vim-t := vim-t# of 24 layers, as the paper's counts have it
STUDENT_vim-s := vim-s
STUDENT_vmamba := vmamba-t# the released code's, 128 wide
SETS_vim-t := cifar100 imagenet100# the paper's row has no ImageNet-1K

TEACHER_FROM := import
TEACHER_KNOWS := imagenet# the published weights know its classes: no fine-tune
WEIGHTS_t := $(DATA)/deit_tiny_patch16_224-a1311bcf.pth
WEIGHTS_s := $(DATA)/deit_small_patch16_224-cd65a155.pth
WEIGHTS_b := $(DATA)/deit_base_patch16_224-b5f2ef4d.pth

# The paper's Trans rows are those of 75 % of the data (its Table 6), the scratch rows of all.
SHARE_trans := 75
SHARE_scratch := 100

# What a stage asks a cluster for; a run that needs more hours goes on in the next job.
WANTS_data := cores=16 gpus=0 hours=12
WANTS_train := cores=16 gpus=1 hours=48

# Sweep: as at the small scale.
SWEEP_SKIP := t-zoh n_init_layers-1 n_init_layers-2
