# Table 2: image classification. Teachers, and PlainMamba of three sizes: from scratch, by the whole
# method, by subcloning alone and by the distillation (WSAB) alone; ViM of two and VMamba from scratch
# and by the whole method, where the scale names their networks.
include pipelines/rules/all.mk

TABLE2_ARMS := scratch trans subcloned wsab
$(foreach d,$(SCALE_SETS),$(foreach z,$(SIZES),$(call teacher_row,table2,teacher-$z,$d,$z)\
	$(foreach a,$(TABLE2_ARMS),$(call student_row,table2,$a-$z,$d,$a,$z,$(call share_of,$a)))))

# Other families' students come with the size of their teacher.
$(foreach z,$(OTHER_SIZES),$(foreach d,$(or $(SETS_$z),$(SCALE_SETS)),$(foreach a,scratch trans,\
	$(call student_row,table2,$a-$z,$d,$a,$z,$(call share_of,$a)))))
$(eval $(call table_rules,table2))

.PHONY: table2
table2: $(TABLE_table2) ## Table 2: classification, ours beside the paper's (SCALE, SEEDS)
	$(call show_table,table2)
