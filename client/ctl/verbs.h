/* The verbs, one file each (label.c has two). */
#pragma once

#include "client/ctl/ctl.h"

#define VERB(name) gboolean verb_##name(Ctl *ctl, int argc, char **argv, GError **error)
VERB(annotate);
VERB(api_resources);
VERB(apply);
VERB(config);
VERB(convert);
VERB(create);
VERB(delete);
VERB(describe);
VERB(get);
VERB(label);
VERB(logs);
VERB(rollout);
VERB(scale);
VERB(version);
VERB(wait);
