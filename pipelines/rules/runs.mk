# Runs: how a teacher and a student are made. Tables ask for runs with need_teacher and need_student;
# each is written out once as plain rules, so that `make -n` shows what would be done.
#
#	$(TEACHERS)/SET/teacher-SIZE/ init.h5 last.h5 best.h5 metrics.tsv state.h5
#	$W/SET/probe-SIZE[-SHARE]/   last.h5: the teacher after its short fine-tune
#	$W/SET/ARM-SIZE[-SHARE]/SEED/ start.h5 map.h5 last.h5 best.h5 metrics.tsv state.h5
#
# Only last.h5 is a target: state, best weights and metrics grow with a run and are needed to go on with
# it, and Make deletes targets of a recipe that is interrupted.
#
# An ARM is a way to make a student. Of it here: where its weights begin (fresh or subclone), whether
# a map is calibrated first, whether it sees a teacher. Everything else is its recipe.

# Folder of the teachers: a scale may take those of another (small-full: small's).
TEACHERS ?= $W
# Storage of activations and products on a GPU.
PRECISION ?= fp32
TRAIN := $(if $(filter-out fp32,$(PRECISION)),--precision $(PRECISION) )

ARMS := scratch subcloned wsab trans \
	logits logits-subcloned random rc \
	$(foreach f,rc cos l1 l2,feature-$f feature-$f-subcloned)

ARMS_SUBCLONED := subcloned trans random rc $(filter %-subcloned,$(ARMS))
ARMS_CALIBRATED := wsab trans random
ARMS_TAUGHT := $(filter-out scratch subcloned,$(ARMS))

RECIPE_teacher := pipelines/recipes/table2/teacher.conf
RECIPE_scratch := pipelines/recipes/table2/scratch.conf
RECIPE_subcloned := pipelines/recipes/table2/subcloned.conf
RECIPE_wsab := pipelines/recipes/table2/wsab.conf
RECIPE_trans := pipelines/recipes/table2/trans.conf
RECIPE_random := pipelines/recipes/table5/random.conf
RECIPE_rc := pipelines/recipes/ablation/rc.conf
$(foreach a,logits feature-rc feature-cos feature-l1 feature-l2,\
	$(eval RECIPE_$a := pipelines/recipes/table5/$a.conf)\
	$(eval RECIPE_$a-subcloned := pipelines/recipes/table5/$a.conf))

# The sweep: the whole method with a few settings of its own (pipelines/sweep.mk).
SWEEP_NAMES := $(filter-out $(SWEEP_SKIP),$(patsubst \
	pipelines/recipes/sweep/%.conf,%,$(wildcard pipelines/recipes/sweep/*.conf)))
SWEEP_ARMS := $(SWEEP_NAMES:%=sweep-%)
ARMS_SUBCLONED += $(SWEEP_ARMS)
ARMS_CALIBRATED += $(filter-out sweep-calib-joint sweep-calib-none,$(SWEEP_ARMS))
ARMS_TAUGHT += $(SWEEP_ARMS)
$(foreach n,$(SWEEP_NAMES),$(eval RECIPE_sweep-$n := $(RECIPE_trans) pipelines/recipes/sweep/$n.conf))

# Share of the data that an arm sees where a table does not say: scratch, or like trans.
share_of = $(if $(filter scratch,$1),$(SHARE_scratch),$(SHARE_trans))
# $(call run_dir,SET,ARM,SIZE,SHARE): the share is named where it is not the usual one
run_dir = $W/$1/$2-$3$(if $(filter-out $(call share_of,$2),$4),-$4)
probe_dir = $W/$1/probe-$(call teacher_size,$2)$(if $(filter-out $(SHARE_trans),$3),-$3)
teacher_of = $(TEACHERS)/$1/teacher-$(call teacher_size,$2)/last.h5

# The size of a student's teacher: its own, unless a line says another. Students of other families
# than PMamba's are sizes of their own: vim-t, vmamba; so are networks made with other options
# (INIT_SIZE) or another MLP (MLP_RATIO_SIZE).
TEACHER_SIZE_vim-t := t
TEACHER_SIZE_vim-s := s
TEACHER_SIZE_vmamba := b
teacher_size = $(or $(TEACHER_SIZE_$1),$1)
# PMamba-T without the added MLP, with half of it, and with the zero-order hold.
T_NETWORKS := t-zoh t-mlp0 t-mlp2
$(foreach z,$(T_NETWORKS),$(eval STUDENT_$z := $(STUDENT_t))$(eval TEACHER_SIZE_$z := t)$(eval \
	STUDENT_SHAPE_$z := $(STUDENT_SHAPE_t)))
MLP_RATIO_t-mlp0 := 0
MLP_RATIO_t-mlp2 := 2
INIT_t-zoh := --bbar zoh

# Settings of a role (teacher, student, probe) and size, later files win.
scale_confs = $(foreach s,$(SCALE_BASE) $(SCALE),$(wildcard \
	pipelines/scales/$s.conf pipelines/scales/$s-$1.conf pipelines/scales/$s-$1-$2.conf))
in_order = $(foreach s,$(SCALE_BASE) $(SCALE),$(foreach f,$s.conf $s-$1.conf $s-$1-$2.conf,\
	$(filter %/$f,$(call scale_confs,$1,$2))))
recipes = $(foreach f,$(call in_order,$1,$2) $3,--recipe $f)

# --- teachers: one a set and size, whatever the seeds ---

# $1 SET, $2 SIZE
define teacher_from_init
$(TEACHERS)/$1/teacher-$2/init.h5: private WANTS := $(WANTS_weights)
$(TEACHERS)/$1/teacher-$2/init.h5: $(BY) $(BIN)/init-weights
	$$(Q)$$(RUN) $(BIN)/init-weights --arch $(TEACHER_$2) $(TEACHER_SHAPE) --classes $(CLASSES_$1) $L\
		--seed 0 -o $$@
endef

define teacher_from_import
$(TEACHERS)/$1/teacher-$2/init.h5: private WANTS := $(WANTS_weights)
$(TEACHERS)/$1/teacher-$2/init.h5: $(WEIGHTS_$2) $(BY) $(BIN)/import-weights
	data/verify-data data/SOURCES $(DATA) $(TEACHER_$2)
	$$(Q)$$(RUN) $(BIN)/import-weights $(WEIGHTS_$2) --arch $(TEACHER_$2) $L\
		$(if $(filter $1,$(TEACHER_KNOWS)),,--classes $(CLASSES_$1) )-o $$@
endef

define teacher_trained
$(TEACHERS)/$1/teacher-$2/last.h5: private WANTS := $(WANTS_train)
$(TEACHERS)/$1/teacher-$2/last.h5: $(TEACHERS)/$1/teacher-$2/init.h5 $D/$1/train.h5 $(VALID_$1) \
		$(call in_order,teacher,$2) $(RECIPE_teacher) $(BY) $(BIN)/distill-step
	@pipelines/make/drop-old-state $(TEACHERS)/$1/teacher-$2/state.h5 $$^
	$$(Q)$$(RUN) $(BIN)/distill-step $(TRAIN)--method task --seed 0 $L\
		--init $(TEACHERS)/$1/teacher-$2/init.h5 --data $D/$1/train.h5 --valid $(VALID_$1) $L\
		$(call recipes,teacher,$2,$(RECIPE_teacher)) $L\
		$(STOP_EARLY) --state $(TEACHERS)/$1/teacher-$2/state.h5 --metrics $(TEACHERS)/$1/teacher-$2/metrics.tsv $L\
		--best $(TEACHERS)/$1/teacher-$2/best.h5 -o $(TEACHERS)/$1/teacher-$2/last.h5
endef

# Published weights that already know the classes are used as they are.
define teacher_as_it_is
$(TEACHERS)/$1/teacher-$2/last.h5: $(TEACHERS)/$1/teacher-$2/init.h5
	ln -f $$< $(TEACHERS)/$1/teacher-$2/best.h5
	ln -f $$< $$@
endef

define teacher_rules
DONE_teacher_$1_$2 := 1
$(call teacher_from_$(TEACHER_FROM),$1,$2)

$(call $(if $(filter $1,$(TEACHER_KNOWS)),teacher_as_it_is,teacher_trained),$1,$2)
endef
need_teacher = $(if $(DONE_teacher_$1_$2),,$(eval $(call teacher_rules,$1,$2)))

# --- the probe: the teacher after a short fine-tune on the students' data ---

# $1 SET, $2 SIZE, $3 SHARE, $4 the probe's folder
define probe_rules
DONE_probe_$1_$2_$3 := 1
$4/last.h5: private WANTS := $(WANTS_train)
$4/last.h5: $(call teacher_of,$1,$2) $(call students_of,$1,$3) \
		$(call in_order,probe,$2) $(BY) $(BIN)/distill-step
	@pipelines/make/drop-old-state $4/state.h5 $$^
	$$(Q)$$(RUN) $(BIN)/distill-step $(TRAIN)--method task --seed 0 $L\
		--init $(call teacher_of,$1,$2) --data $(call students_of,$1,$3) $L\
		$(call recipes,probe,$2) $L\
		$(STOP_EARLY) --state $4/state.h5 -o $$@
endef
need_probe = $(if $(DONE_probe_$1_$2_$3),,$(eval \
	$(call probe_rules,$1,$2,$3,$(call probe_dir,$1,$2,$3))))

# --- students: $1 SET, $2 ARM, $3 SIZE, $4 SHARE, $5 SEED, $6 the run's folder, $7 its first weights ---

define fresh_rules
DONE_fresh_$1_$2_$3 := 1
$W/$1/fresh-$2/$3.h5: private WANTS := $(WANTS_weights)
$W/$1/fresh-$2/$3.h5: $(BY) $(BIN)/init-weights
	$$(Q)$$(RUN) $(BIN)/init-weights --arch $(STUDENT_$2) $(or $(STUDENT_SHAPE_$2),$(STUDENT_SHAPE)) --classes $(CLASSES_$1) $L\
		--mlp-ratio $(or $(MLP_RATIO_$2),$(MLP_RATIO)) $(INIT_$2) --seed $3 -o $$@
endef
need_fresh = $(if $(DONE_fresh_$1_$2_$3),,$(eval $(call fresh_rules,$1,$2,$3)))

define start_rules
$7: private WANTS := $(WANTS_weights)
$7: $W/$1/fresh-$3/$5.h5 $(call teacher_of,$1,$3) $(call probe_dir,$1,$3,$4)/last.h5 \
		$(RECIPE_$2) $(BY) $(BIN)/subclone-weights
	$$(Q)$$(RUN) $(BIN)/subclone-weights --seed $5 $L\
		--before $(call teacher_of,$1,$3) --after $(call probe_dir,$1,$3,$4)/last.h5 $L\
		--student $W/$1/fresh-$3/$5.h5 $(RECIPE_$2:%=--recipe %) -o $$@
endef

define map_rules
$6/map.h5: private WANTS := $(WANTS_calibrate)
$6/map.h5: $7 $(call teacher_of,$1,$3) $(call students_of,$1,$4) \
		$(call in_order,student,$3) $(RECIPE_$2) $(BY) $(BIN)/calibrate
	$$(Q)$$(RUN) $(BIN)/calibrate $(TRAIN)--seed $5 $L\
		--student $7 --teacher $(call teacher_of,$1,$3) $L\
		--data $(call students_of,$1,$4) $L\
		$(call recipes,student,$3,$(RECIPE_$2)) $L\
		-o $$@
endef

define training_rules
$6/last.h5: private WANTS := $(WANTS_train)
$6/last.h5: $7 $(call students_of,$1,$4) $(VALID_$1) \
		$(if $(filter $2,$(ARMS_TAUGHT)),$(call teacher_of,$1,$3)) \
		$(if $(filter $2,$(ARMS_CALIBRATED)),$6/map.h5) \
		$(call in_order,student,$3) $(RECIPE_$2) $(BY) $(BIN)/distill-step
	@pipelines/make/drop-old-state $6/state.h5 $$^
	$$(Q)$$(RUN) $(BIN)/distill-step $(TRAIN)--seed $5 --init $7 $L\
		$(if $(filter $2,$(ARMS_TAUGHT)),--teacher $(call teacher_of,$1,$3) $L)\
		$(if $(filter $2,$(ARMS_CALIBRATED)),--calibration $6/map.h5 $L)\
		--data $(call students_of,$1,$4) --valid $(VALID_$1) $L\
		$(call recipes,student,$3,$(RECIPE_$2)) $L\
		$(STOP_EARLY) --state $6/state.h5 --metrics $6/metrics.tsv --best $6/best.h5 -o $6/last.h5
endef

define student_rules
DONE_$1_$2_$3_$4_$5 := 1
$(if $(filter $2,$(ARMS_SUBCLONED)),$(call start_rules,$1,$2,$3,$4,$5,$6,$7))

$(if $(filter $2,$(ARMS_CALIBRATED)),$(call map_rules,$1,$2,$3,$4,$5,$6,$7))

$(call training_rules,$1,$2,$3,$4,$5,$6,$7)
endef

begin_of = $(if $(filter $2,$(ARMS_SUBCLONED)),$(call \
	run_dir,$1,$2,$3,$4)/$5/start.h5,$W/$1/fresh-$3/$5.h5)
write_student = $(eval $(call student_rules,$1,$2,$3,$4,$5,$(call \
	run_dir,$1,$2,$3,$4)/$5,$(call begin_of,$1,$2,$3,$4,$5)))
need_student = $(if $(DONE_$1_$2_$3_$4_$5),,$(call need_fresh,$1,$3,$5)$(if \
	$(filter $2,$(ARMS_TAUGHT) $(ARMS_SUBCLONED)),$(call need_teacher,$1,$(call \
	teacher_size,$3)))$(if $(filter $2,$(ARMS_SUBCLONED)),$(call need_probe,$1,$(call \
	teacher_size,$3),$4))$(call \
	write_student,$1,$2,$3,$4,$5))
