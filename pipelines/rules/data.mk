# Data sets: $D/SET/train.h5 (teachers), students' share of it, valid.h5 (tuning), test.h5 (tables).
# STUDENTS_SET, VALID_SET and TEST_SET name the files; share-25.h5 and so on are parts of the students'.

D := build/data/$(or $(SCALE_BASE),$(SCALE))

FRACTION_25 := 0.25
FRACTION_50 := 0.5
FRACTION_75 := 0.75
FRACTION_1.3 := 1/1.3
SHARES := 25 50 75 1.3

# $(call students_of,SET,SHARE): the file that students of that share train on
students_of = $(if $(filter 100,$2),$(STUDENTS_$1),$D/$1/share-$2.h5)

# --- the micro-world: drawn, written in published formats, and packed like any other set ---

ifneq ($(filter shapes,$(SCALE_SETS)),)
SHAPES := $D/shapes
STUDENTS_shapes := $(SHAPES)/students.h5
VALID_shapes := $(SHAPES)/valid.h5
TEST_shapes := $(SHAPES)/test.h5

SHAPES_COUNT_students := $(SHAPES_STUDENTS)
SHAPES_COUNT_valid := $(SHAPES_VALID)
SHAPES_SPLIT_train := train
SHAPES_SPLIT_students := train
SHAPES_SPLIT_valid := valid

# Training and validation pictures as records of CIFAR-100 ...
SHAPES_RECORDS := $(patsubst %,$(SHAPES)/raw/%/records.bin,train students valid)
SHAPES_CLASSES := $(SHAPES)/raw/train/classes.txt
$(filter-out %/train/records.bin,$(SHAPES_RECORDS)): $(SHAPES)/raw/%/records.bin: $(BY) $(BIN)/make-shapes
	$(Q)$(RUN) $(BIN)/make-shapes --set cls --split $(SHAPES_SPLIT_$*) --count $(SHAPES_COUNT_$*) \
		--format cifar -o $@
$(SHAPES)/raw/train/records.bin $(SHAPES_CLASSES) &: $(BY) $(BIN)/make-shapes
	$(Q)$(RUN) $(BIN)/make-shapes --set cls --split train --count $(SHAPES_TRAIN) --format cifar \
		-o $(SHAPES)/raw/train/records.bin
$(SHAPES_RECORDS:$(SHAPES)/raw/%/records.bin=$(SHAPES)/%.h5): $(SHAPES)/%.h5: \
		$(SHAPES)/raw/%/records.bin $(SHAPES_CLASSES) $(BY) $(BIN)/pack-images
	$(Q)$(RUN) $(BIN)/pack-images --format cifar100 $< --classes $(SHAPES_CLASSES) \
		--split $(SHAPES_SPLIT_$*) -o $@

# ... test pictures as a folder of PNGs a class.
$(SHAPES)/raw/test: $(BY) $(BIN)/make-shapes
	@rm -rf $@
	$(Q)$(RUN) $(BIN)/make-shapes --set cls --split test --count $(SHAPES_TEST) --format png -o $@
$(SHAPES)/test.h5: $(SHAPES)/raw/test $(SHAPES_CLASSES) $(BY) $(BIN)/pack-images
	$(Q)$(RUN) $(BIN)/pack-images --format folder $< --classes $(SHAPES_CLASSES) --split test -o $@
endif

# --- published sets: looked for under $(DATA), checked, packed ---

$(DATA)/%:
	@pipelines/make/missing data/SOURCES $(DATA) $*

ifneq ($(filter cifar100,$(SCALE_SETS)),)
# As the published records or, where only these are there, as PNGs in a folder a class: the same
# pictures in another order.
CIFAR_AS ?= $(if $(wildcard $(DATA)/cifar-100-binary/train.bin),,$(if $(wildcard \
	$(DATA)/cifar-100-png/train),png))
ifeq ($(CIFAR_AS),png)
CIFAR_FILE = $(DATA)/cifar-100-png/$1
CIFAR_PACK := --format folder $(PACK_cifar100)
else
CIFAR_FILE = $(DATA)/cifar-100-binary/$1.bin
CIFAR_PACK := --format cifar100 $(PACK_cifar100)
CIFAR_VERIFY = data/verify-data data/SOURCES $(DATA) cifar100-$1
endif
CIFAR_PACK := $(strip $(CIFAR_PACK))
TEST_cifar100 := $D/cifar100/test.h5
ifdef CIFAR_HOLDOUT
VALID_cifar100 := $D/cifar100/valid.h5
$D/cifar100/train.h5 $D/cifar100/valid.h5 &: $(call CIFAR_FILE,train) $(BY) $(BIN)/pack-images
	$(call CIFAR_VERIFY,train)
	$(Q)$(RUN) $(BIN)/pack-images $(CIFAR_PACK) $< --holdout $(CIFAR_HOLDOUT) \
		--holdout-output $D/cifar100/valid.h5 -o $D/cifar100/train.h5
else
VALID_cifar100 := $(TEST_cifar100)
$D/cifar100/train.h5: $(call CIFAR_FILE,train) $(BY) $(BIN)/pack-images
	$(call CIFAR_VERIFY,train)
	$(Q)$(RUN) $(BIN)/pack-images $(CIFAR_PACK) $< -o $@
endif
$D/cifar100/test.h5: $(call CIFAR_FILE,test) $(BY) $(BIN)/pack-images
	$(call CIFAR_VERIFY,test)
	$(Q)$(RUN) $(BIN)/pack-images $(CIFAR_PACK) $< -o $@
ifdef STUDENT_FRACTION
STUDENTS_cifar100 := $D/cifar100/students.h5
$(STUDENTS_cifar100): $D/cifar100/train.h5 $(BY) $(BIN)/pack-images
	$(Q)$(RUN) $(BIN)/pack-images $< --share $(STUDENT_FRACTION) -o $@
else
STUDENTS_cifar100 := $D/cifar100/train.h5
endif
endif

# ImageNet, all thousand classes and the hundred of the subset: from a folder a class where there is one,
# else from the published archives, with the list of the validation set's labels (data/README.md).
IMAGENETS := $(filter imagenet imagenet100,$(SCALE_SETS))
CLASS_LIST_imagenet := data/imagenet1k.txt
CLASS_LIST_imagenet100 := data/imagenet100.txt
IMAGENET_TRAIN := $(or $(wildcard $(DATA)/imagenet/train),$(DATA)/ILSVRC2012_img_train.tar)
IMAGENET_VAL := $(or $(wildcard $(DATA)/imagenet/val),$(DATA)/ILSVRC2012_img_val.tar)
IMAGENET_LABELS := $(if $(filter %.tar,$(IMAGENET_VAL)),$(DATA)/ILSVRC2012_val_labels.txt)
# $1 archive or folder, $2 its name in SOURCES
verify_archive = $(if $(filter %.tar,$1),data/verify-data data/SOURCES $(DATA) $2)
define imagenet_rules
STUDENTS_$1 := $D/$1/train.h5
VALID_$1 := $D/$1/test.h5
TEST_$1 := $D/$1/test.h5
$D/$1/train.h5: $(IMAGENET_TRAIN) $(CLASS_LIST_$1) $(BY) $(BIN)/pack-images
	$$(call verify_archive,$$<,imagenet-train)
	$$(Q)$$(RUN) $(BIN)/pack-images $$< --classes $(CLASS_LIST_$1) -o $$@
$D/$1/test.h5: $(IMAGENET_VAL) $(CLASS_LIST_$1) $(IMAGENET_LABELS) $(BY) $(BIN)/pack-images
	$$(call verify_archive,$$<,imagenet-val)
	$$(Q)$$(RUN) $(BIN)/pack-images $$< --classes $(CLASS_LIST_$1) $(IMAGENET_LABELS:%=--labels %) -o $$@
endef
$(foreach s,$(IMAGENETS),$(eval $(call imagenet_rules,$s)))

# --- parts of the students' data, the same number of every class ---

define share_rules
$(SHARES:%=$D/$1/share-%.h5): $D/$1/share-%.h5: $(STUDENTS_$1) $(BY) $(BIN)/pack-images
	$$(Q)$$(RUN) $(BIN)/pack-images $$< --check structure --share $$(FRACTION_$$*) -o $$@
endef
$(foreach s,$(SCALE_SETS),$(eval $(call share_rules,$s)))

.PHONY: verify-data
verify-data: ## are the published data and weights whole? (DATA=folder, SETS="names of data/SOURCES")
	@data/verify-data data/SOURCES $(DATA) $(SETS)
