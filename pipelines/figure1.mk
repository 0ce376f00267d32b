# Figure 1: what the rows of Table 2 cost, from the provenance of the files of their stages: time,
# data, energy, and CO2 where GRID_G_PER_KWH=grams is given. Teacher, probe and calibration count
# apart, and together.
include pipelines/rules/all.mk

GRID_G_PER_KWH ?=

# Changes when the factor does.
$R/figure1/grid: FORCE
	@echo '$(GRID_G_PER_KWH)' | pipelines/make/update $@

# $1 name of the row, $2 seed, $3 stages as options of show-cost, $4 their files
define cost_rules
ROWS_figure1 += $R/figure1/rows/$1.$2.tsv
$R/figure1/rows/$1.$2.tsv: $R/table2/rows/$1.$(MAIN_SET).$2.tsv $4 $R/figure1/grid $(BY) $(BIN)/show-cost
	@mkdir -p $$(@D)
	$(Q)$(BIN)/show-cost --row $$< $3 $(GRID_G_PER_KWH:%=--grid %) > $$@.new
	@mv $$@.new $$@
endef

# $(call costs_of,ARM,SIZE,RUN,SEED): a student with all that was made for it
stages_of = --student $3/last.h5 $(if $(filter $1,$(ARMS_CALIBRATED)),--calibration $3/map.h5) \
	$(if $(filter $1,$(ARMS_SUBCLONED)),--subcloning $3/start.h5 \
		--probe $(call probe_dir,$(MAIN_SET),$2,$(call share_of,$1))/last.h5) \
	$(if $(filter $1,$(ARMS_SUBCLONED) $(ARMS_TAUGHT)),--teacher $(call teacher_of,$(MAIN_SET),$2))
costs_of = $(eval $(call cost_rules,$1-$2,$4,$(call stages_of,$1,$2,$3),$(filter \
	%.h5,$(call stages_of,$1,$2,$3))))

FIGURE1_SIZES := $(filter $(SIZES),$(FIGURE_SIZES))
$(foreach z,$(FIGURE1_SIZES),$(eval $(call cost_rules,teacher-$z,0,--student \
	$(TEACHERS)/$(MAIN_SET)/teacher-$z/last.h5,$(TEACHERS)/$(MAIN_SET)/teacher-$z/last.h5)))
$(foreach s,$(SEED_LIST),$(foreach z,$(FIGURE1_SIZES),$(foreach a,scratch subcloned wsab trans,$(call \
	costs_of,$a,$z,$(call run_dir,$(MAIN_SET),$a,$z,$(call share_of,$a))/$s,$s)))\
	$(foreach z,$(filter-out $(SIZES),$(FIGURE_SIZES)),$(foreach a,scratch trans,$(call \
	costs_of,$a,$z,$(call run_dir,$(MAIN_SET),$a,$z,$(call share_of,$a))/$s,$s))))

SCALE_NOTE_figure1 = $(SCALE_NOTE)$(if $(GRID_G_PER_KWH), CO2 at $(GRID_G_PER_KWH) g/kWh where energy was measured.)
$(eval $(call table_rules,figure1))

FIGURE1 := $(foreach e,png svg,$R/figure1/figure1-bars.$e $R/figure1/figure1-bubbles.$e)
FIGURE1_WHERE = scale $(SCALE), $(MAIN_SET), $(SEEDS) seed(s)
$R/figure1/figure1-bars.png $R/figure1/figure1-bars.svg &: $R/figure1/figure1.tsv $(BY) $(BIN)/plot-chart
	$(Q)$(BIN)/plot-chart --kind bars --if-measured --label model --title 'Figure 1: cost of the rows of Table 2, $(FIGURE1_WHERE)' \
		--panel 'seconds' $(foreach c,student subcloning calibration probe teacher,--y '$c (s)=$c') \
		--panel 'energy (kJ)' --y 'all but the teacher (kJ)' --y 'teacher (kJ)=teacher' \
		--panel 'CO2 (g)' --y 'all but the teacher (g CO2)' --y 'teacher (g CO2)=teacher' \
		-o $R/figure1/figure1-bars $<
$R/figure1/figure1-bubbles.png $R/figure1/figure1-bubbles.svg &: $R/figure1/figure1.tsv $(BY) $(BIN)/plot-chart
	$(Q)$(BIN)/plot-chart --kind bubbles --label model --group network --size parameters \
		--title 'Figure 1: time, data, accuracy; area: parameters; $(FIGURE1_WHERE)' \
		--x 'all but the teacher (s)' --panel 'images the student went over' --y 'images used' \
		--panel 'top-1 (%)' --y 'top-1 (%)' -o $R/figure1/figure1-bubbles $<

.PHONY: figure1
figure1: $(TABLE_figure1) $(FIGURE1) ## Figure 1: time, data, energy, CO2 of Table 2's rows (GRID_G_PER_KWH=)
	@cat $R/figure1/figure1.md
	@echo 'Pictures: $(filter %.svg,$(FIGURE1))'
