#include <string.h>

#include "cleat/apps/v1/apps.pb-c.h"
#include "cleat/batch/v1/batch.pb-c.h"
#include "client/ctl/output.h"
#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/base/error.h"

/* The flags of all forms; each form uses its own. */
typedef struct {
    Ctl *ctl;
    char **files, **literals, **file_data;
    char *image, *type, *dry_run, *output_flag;
    int replicas, port;
    const char *name;
} Create;

/* --- data of ConfigMap and Secret -------------------------------------------------------------------------------------*/

/* Takes each "key=value" and "[key=]path" of the flags, in order of the flags; add gets the bytes. */
typedef void (*AddData)(ProtobufCMessage *object, const char *key, const char *data, gsize size);

static gboolean add_file(const char *flag, ProtobufCMessage *object, AddData add, GError **error)
{
    const char *equals = strchr(flag, '=');
    const char *path = equals ? equals + 1 : flag;
    g_autofree char *key = equals ? g_strndup(flag, (gsize)(equals - flag)) : g_path_get_basename(path);
    g_autofree char *data = NULL;
    gsize size;
    if (!g_file_get_contents(path, &data, &size, error))
        return FALSE;
    add(object, key, data, size);
    return TRUE;
}

static gboolean add_all(const Create *create, ProtobufCMessage *object, AddData add, GError **error)
{
    for (char **literal = create->literals; literal && *literal; literal++) {
        const char *equals = strchr(*literal, '=');
        if (!equals || equals == *literal) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "--from-literal: expected KEY=VALUE, not \"%s\"",
                        *literal);
            return FALSE;
        }
        g_autofree char *key = g_strndup(*literal, (gsize)(equals - *literal));
        add(object, key, equals + 1, strlen(equals + 1));
    }
    for (char **file = create->file_data; file && *file; file++) {
        if (!add_file(*file, object, add, error))
            return FALSE;
    }
    return TRUE;
}

static ProtobufCBinaryData copy_bytes(const char *data, gsize size)
{
    return (ProtobufCBinaryData){size, size ? g_memdup2(data, size) : NULL};
}

/* Text goes to data, anything else to binaryData. */
static void config_map_add(ProtobufCMessage *object, const char *key, const char *data, gsize size)
{
    Core__V1__ConfigMap *map = (Core__V1__ConfigMap *)object;
    if (g_utf8_validate_len(data, size, NULL)) {
        g_autofree char *text = g_strndup(data, size);
        api_map_set((ApiMapEntry ***)&map->data, &map->n_data, &core__v1__config_map__data_entry__descriptor, key,
                    text);
        return;
    }
    Core__V1__ConfigMap__BinaryDataEntry *entry =
        API_NEW(Core__V1__ConfigMap__BinaryDataEntry, core__v1__config_map__binary_data_entry);
    entry->key = g_strdup(key);
    api_set_scalar(entry, value, copy_bytes(data, size));
    api_append(map->binarydata, map->n_binarydata, entry);
}

static void secret_add(ProtobufCMessage *object, const char *key, const char *data, gsize size)
{
    Core__V1__Secret *secret = (Core__V1__Secret *)object;
    Core__V1__Secret__DataEntry *entry = API_NEW(Core__V1__Secret__DataEntry, core__v1__secret__data_entry);
    entry->key = g_strdup(key);
    api_set_scalar(entry, value, copy_bytes(data, size));
    api_append(secret->data, secret->n_data, entry);
}

/* --- the forms: each makes an object; the name and namespace are set afterwards ----------------------------------------*/

static ProtobufCMessage *make_namespace(const Create *create, GError **error)
{
    (void)create;
    (void)error;
    return &API_NEW(Core__V1__Namespace, core__v1__namespace)->base;
}

static ProtobufCMessage *make_service_account(const Create *create, GError **error)
{
    (void)create;
    (void)error;
    return &API_NEW(Core__V1__ServiceAccount, core__v1__service_account)->base;
}

static ProtobufCMessage *make_config_map(const Create *create, GError **error)
{
    Core__V1__ConfigMap *map = API_NEW(Core__V1__ConfigMap, core__v1__config_map);
    if (add_all(create, &map->base, config_map_add, error))
        return &map->base;
    API_FREE(map);
    return NULL;
}

static ProtobufCMessage *make_secret(const Create *create, GError **error)
{
    Core__V1__Secret *secret = API_NEW(Core__V1__Secret, core__v1__secret);
    secret->type = g_strdup(create->type ? create->type : "Opaque");
    if (add_all(create, &secret->base, secret_add, error))
        return &secret->base;
    API_FREE(secret);
    return NULL;
}

/* A template with one container that runs the image, and what follows "--" if anything does. */
static Core__V1__PodTemplateSpec *make_template(const Create *create, const char *restart_policy, GError **error)
{
    if (!create->image) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the flag --image=IMAGE is required");
        return NULL;
    }
    Core__V1__Container *container = API_NEW(Core__V1__Container, core__v1__container);
    container->name = g_strdup(create->name);
    container->image = g_strdup(create->image);
    for (char **word = create->ctl->command; word && *word; word++)
        api_append(container->command, container->n_command, g_strdup(*word));
    if (create->port > 0) {
        Core__V1__ContainerPort *port = API_NEW(Core__V1__ContainerPort, core__v1__container_port);
        api_set_scalar(port, containerport, create->port);
        api_append(container->ports, container->n_ports, port);
    }
    Core__V1__PodTemplateSpec *template = API_NEW(Core__V1__PodTemplateSpec, core__v1__pod_template_spec);
    template->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    template->spec->restartpolicy = g_strdup(restart_policy);
    api_append(template->spec->containers, template->spec->n_containers, container);
    return template;
}

static ProtobufCMessage *make_deployment(const Create *create, GError **error)
{
    Core__V1__PodTemplateSpec *template = make_template(create, NULL, error);
    if (!template)
        return NULL;
    Apps__V1__Deployment *deployment = API_NEW(Apps__V1__Deployment, apps__v1__deployment);
    deployment->spec = API_NEW(Apps__V1__DeploymentSpec, apps__v1__deployment_spec);
    deployment->spec->template_ = template;
    deployment->spec->selector = API_NEW(Meta__V1__LabelSelector, meta__v1__label_selector);
    template->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    api_set_scalar(deployment->spec, replicas, create->replicas);
    Meta__V1__LabelSelector *selector = deployment->spec->selector;
    api_map_set((ApiMapEntry ***)&selector->matchlabels, &selector->n_matchlabels,
                &meta__v1__label_selector__match_labels_entry__descriptor, "app", create->name);
    api_label_set(template->metadata, "app", create->name);
    api_label_set(api_meta(&deployment->base), "app", create->name);
    return &deployment->base;
}

static ProtobufCMessage *make_job(const Create *create, GError **error)
{
    Core__V1__PodTemplateSpec *template = make_template(create, "Never", error);
    if (!template)
        return NULL;
    Batch__V1__Job *job = API_NEW(Batch__V1__Job, batch__v1__job);
    job->spec = API_NEW(Batch__V1__JobSpec, batch__v1__job_spec);
    job->spec->template_ = template;
    return &job->base;
}

static const struct {
    const char *names[3];
    const char *variant; /* a word between the kind and the name */
    ProtobufCMessage *(*make)(const Create *create, GError **error);
} forms[] = {
    {{"namespace", "ns"}, NULL, make_namespace},
    {{"configmap", "cm"}, NULL, make_config_map},
    {{"secret"}, "generic", make_secret},
    {{"serviceaccount", "sa"}, NULL, make_service_account},
    {{"deployment", "deploy"}, NULL, make_deployment},
    {{"job"}, NULL, make_job},
};

/* --- sending ----------------------------------------------------------------------------------------------------------*/

static gboolean create_object(const Create *create, const Output *output, const ProtobufCMessage *object,
                              GError **error)
{
    if (create->dry_run && g_str_equal(create->dry_run, "client"))
        return output_change(output, object, "created (dry run)", error);
    ProtobufCMessage *made = ctl_create(create->ctl, object, error);
    gboolean good = made && output_change(output, made, "created", error);
    api_message_free(made);
    return good;
}

static gboolean create_files(const Create *create, const Output *output, GError **error)
{
    g_autoptr(GPtrArray) manifests = manifests_read(create->files, error);
    for (guint i = 0; manifests && i < manifests->len; i++) {
        ApiManifest *manifest = manifests->pdata[i];
        g_autoptr(GError) problem = NULL;
        if (!manifest_set_namespace(create->ctl, manifest, &problem) ||
            !create_object(create, output, manifest->object, &problem))
            ctl_report(create->ctl, problem);
    }
    return manifests != NULL;
}

static gboolean create_form(Create *create, char **args, const Output *output, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        if (!g_strv_contains(forms[i].names, args[0]))
            continue;
        char **rest = args + 1;
        if (forms[i].variant) {
            if (g_strcmp0(*rest, forms[i].variant) != 0) {
                g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "usage: ctl create %s %s NAME ...", args[0],
                            forms[i].variant);
                return FALSE;
            }
            rest++;
        }
        if (!rest[0] || rest[1]) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "ctl create %s takes exactly one name", args[0]);
            return FALSE;
        }
        create->name = rest[0];
        ApiManifest manifest = {.object = forms[i].make(create, error)};
        if (!manifest.object)
            return FALSE;
        manifest.resource = api_resource_by_descriptor(manifest.object->descriptor);
        api_set_string(&api_meta(manifest.object)->name, create->name);
        gboolean good = manifest_set_namespace(create->ctl, &manifest, error) &&
                        create_object(create, output, manifest.object, error);
        api_message_free(manifest.object);
        return good;
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "ctl create %s: not a form of create; there are namespace, configmap, secret generic, serviceaccount, "
                "deployment, job, and -f FILE for everything",
                args[0]);
    return FALSE;
}

static gboolean run(Create *create, char **args, GError **error)
{
    Output output;
    if (!output_parse(create->output_flag, &output, error))
        return FALSE;
    if (create->dry_run && !g_str_equal(create->dry_run, "client") && !g_str_equal(create->dry_run, "none")) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "--dry-run: expected client or none, not \"%s\"",
                    create->dry_run);
        return FALSE;
    }
    if (create->files ? *args != NULL : *args == NULL) {
        ctl_set_usage_error(create->ctl, error);
        return FALSE;
    }
    return create->files ? create_files(create, &output, error) : create_form(create, args, &output, error);
}

VERB(create)
{
    Create create = {.ctl = ctl, .replicas = 1};
    const GOptionEntry entries[] = {
        {"filename", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &create.files,
         "File, folder or - (standard input); repeatable", "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_STRING, &create.output_flag, "name, json, yaml or jsonpath=TEMPLATE", "FORMAT"},
        {"dry-run", 0, 0, G_OPTION_ARG_STRING, &create.dry_run, "client: only show what would be created", "client"},
        {"from-literal", 0, 0, G_OPTION_ARG_STRING_ARRAY, &create.literals, "configmap, secret: an entry", "KEY=VALUE"},
        {"from-file", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &create.file_data, "configmap, secret: an entry",
         "[KEY=]FILE"},
        {"type", 0, 0, G_OPTION_ARG_STRING, &create.type, "secret: its type (default Opaque)", "TYPE"},
        {"image", 0, 0, G_OPTION_ARG_STRING, &create.image, "deployment, job: image", "IMAGE"},
        {"replicas", 'r', 0, G_OPTION_ARG_INT, &create.replicas, "deployment: how many pods (default 1)", "N"},
        {"port", 0, 0, G_OPTION_ARG_INT, &create.port, "deployment: port that the container serves", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    gboolean good = args && run(&create, args, error);
    g_strfreev(create.files);
    g_strfreev(create.literals);
    g_strfreev(create.file_data);
    g_free(create.image);
    g_free(create.type);
    g_free(create.dry_run);
    g_free(create.output_flag);
    return good;
}
