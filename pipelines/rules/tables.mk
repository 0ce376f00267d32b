# Rows of results and tables of rows. A table asks for its rows with teacher_row and student_row,
# then for itself with table_rules.

TABLE_FORMATS := md tsv tex
FORMAT_md := markdown
FORMAT_tsv := tsv
FORMAT_tex := latex
SIZES ?= t s b
# The set that figures and the tables of one set show, and the students of other families that the
# scale names and whose teacher's size is asked for.
MAIN_SET := $(or $(filter imagenet100,$(SCALE_SETS)),$(firstword $(SCALE_SETS)))
OTHER_SIZES := $(foreach z,vim-t vim-s vmamba,$(if $(and $(STUDENT_$z),$(filter \
	$(call teacher_size,$z),$(SIZES))),$z))
# Those that figures show, and what they are called there.
FIGURE_SIZES ?= $(SIZES) $(foreach z,$(OTHER_SIZES),$(if $(filter $(MAIN_SET),$(or \
	$(SETS_$z),$(SCALE_SETS))),$z))
NETWORK_t := PMamba-T
NETWORK_s := PMamba-S
NETWORK_b := PMamba-B
NETWORK_vim-t := ViM-T
NETWORK_vim-s := ViM-S
NETWORK_vmamba := VMamba

eval_confs = $(foreach s,$(SCALE_BASE) $(SCALE),$(wildcard pipelines/scales/$s-eval.conf))

# $1 TABLE, $2 name in the table, $3 SET, $4 folder of the run, $5 share, $6 seed, $7 further columns
define row_rules
ROWS_$1 += $R/$1/rows/$2.$3.$6.tsv
$R/$1/rows/$2.$3.$6.tsv: private WANTS := $(WANTS_evaluate)
$R/$1/rows/$2.$3.$6.tsv: $4/last.h5 $(TEST_$3) $(eval_confs) $(BY) $(BIN)/eval-cls
	@mkdir -p $$(@D)
	$$(Q)$$(RUN) $(BIN)/eval-cls --weights $4/last.h5 --best $4/best.h5 --data $(TEST_$3) $L\
		$(eval_confs:%=--recipe % )--name $2 --column scale=$(SCALE) --column set=$3 $L\
		--column share=$5 --column seed=$6$(7:%= --column %) > $$@.new
	@mv $$@.new $$@
endef

# $(call teacher_row,TABLE,NAME,SET,SIZE)
teacher_row = $(call need_teacher,$3,$4)$(eval \
	$(call row_rules,$1,$2,$3,$(TEACHERS)/$3/teacher-$4,all,0))
# $(call student_row,TABLE,NAME,SET,ARM,SIZE,SHARE,COLUMNS): one of every seed; a table may have seeds
# of its own
student_row = $(foreach s,$(or $(SEED_LIST_$1),$(SEED_LIST)),$(call need_student,$3,$4,$5,$6,$s)$(eval $(call \
	row_rules,$1,$2,$3,$(call run_dir,$3,$4,$5,$6)/$s,$(or $(PERCENT_$6),$6),$s,$7)))
PERCENT_1.3 := 76.9

# $1 TABLE
define table_rules
TABLE_$1 := $(TABLE_FORMATS:%=$R/$1/$1.%)
$(TABLE_FORMATS:%=$R/$1/$1.%): $R/$1/$1.%: $(ROWS_$1) pipelines/tables/$1.conf \
		pipelines/paper/$1.tsv $(BY) $(BIN)/render-table
	@mkdir -p $$(@D)
	$(Q)$(BIN)/render-table --layout pipelines/tables/$1.conf --paper pipelines/paper/$1.tsv $L\
		--format $$(FORMAT_$$*) --note '$$(strip $$(or $$(SCALE_NOTE_$1),$$(SCALE_NOTE)))' $L\
		--rows $(ROWS_$1) > $$@.new
	@mv $$@.new $$@
endef

# What the table's goal does: the table, and how long its stages took.
show_table = @cat $R/$1/$1.md; pipelines/make/times $R/times.tsv

# What a table would cost: every stage, whether it is done or not. rates-TABLE measures on a GPU what
# plan-TABLE has no rate of: `make -s rates-table2 SCALE=paper > results/gpu/rates-CARD.tsv`.
PLANNED := table2 table5 table6 figure3 sweep ablation
STAGES_OF = $(MAKE) --no-print-directory -s -n -B $1 CLUSTER=local NO_DEPS=1
.PHONY: $(PLANNED:%=plan-%) $(PLANNED:%=rates-%)
plan-table2: ## hours, memory and disk of every stage, from measured rates (SCALE; plan-table5, ...)
$(PLANNED:%=plan-%): plan-%: $(BIN)/init-weights $(BIN)/bench-step
	@$(call STAGES_OF,$*) | pipelines/make/plan $* $(BIN) $(DATA)
$(PLANNED:%=rates-%): rates-%: $(BIN)/init-weights $(BIN)/bench-step
	@$(call STAGES_OF,$*) | PLAN_RATES=1 pipelines/make/plan $* $(BIN) $(DATA) | pipelines/make/rates $(BIN)

.PHONY: stale record claims
stale: ## list results that a newer tool would change (REDO=1 makes them again)
	@pipelines/make/stale $(BIN) $D $W $R
record: ## keep a table: TABLE=table2 SCALE=tiny copies rows, tables and plots into results/
	@pipelines/make/record '$(TABLE)' $(VARIANT) $R
claims: ## what recorded rows say of the paper's claims (SCALE=small)
	@pipelines/make/claims pipelines/tables/claims-$(SCALE).conf results
