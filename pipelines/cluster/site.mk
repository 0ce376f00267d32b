# A cluster's own settings, for CLUSTER=slurm. Take away the
# "#" where a line is needed; the same lines in config.mk, which git does not follow, come first.

# SITE_ACCOUNT ?= my-project#              sbatch --account
# SITE_PARTITION ?= standard#              sbatch --partition; empty: the cluster's own choice
# SITE_PARTITION_GPU ?= gpu#               the same for stages with a GPU
# SITE_QOS ?= normal#                      sbatch --qos
# SITE_OPTIONS ?= --constraint=genoa#      anything else for sbatch
# SITE_MODULES ?= gcc/12 hdf5/1.14#        modules that a job loads
# SITE_SCRATCH ?= $$TMPDIR#                where a job keeps temporary files, as its shell sees it

# How GPUs are asked for; % is their number.
SITE_GPU ?= --gpus=%

# MiB of a job that `make submit` puts into the queue, before there is anything to plan with, where
# WANTS_... in pipelines/scales does not say memory=N.
SITE_MEMORY ?= 8000
# Seconds until a file written by a job shows here, on a network file system that is behind.
FS_WAIT ?= 60
# Training saves its state so many seconds before its job's end, and goes on in the next.
STOP_BEFORE ?= 120
