#include <string.h>

#include "lib/api/kinds/kinds.h"
#include "lib/api/quantity.h"

static void validate_host_path(const Core__V1__HostPathVolumeSource *source, const Path *path, ApiFieldErrors *errors)
{
    static const char *const types[] = {
        "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice", NULL};
    const char *host_path = api_str(source->path);
    g_auto(GStrv) parts = g_strsplit(host_path, "/", -1);
    if (host_path[0] == '\0')
        fail_required(errors, FIELD(path, "path"), NULL);
    else if (host_path[0] != '/')
        fail_invalid(errors, FIELD(path, "path"), host_path, "must be an absolute path");
    else if (g_strv_contains((const char *const *)parts, ".."))
        fail_invalid(errors, FIELD(path, "path"), host_path, "must not contain '..'");
    if (api_str(source->type)[0])
        require_one_of(errors, FIELD(path, "type"), source->type, types);
}

/* A limit is kept where the kernel keeps it: in memory. */
static void validate_empty_dir(const Core__V1__EmptyDirVolumeSource *source, const Path *path, ApiFieldErrors *errors)
{
    ApiQuantity limit;
    api_quantity_get(source->sizelimit, &limit);
    if (limit.nano < 0)
        fail_invalid(errors, FIELD(path, "sizeLimit"), source->sizelimit->string, "must be greater than or equal to 0");
    else if (limit.nano > 0 && !api_str_equal(source->medium, "Memory"))
        fail_unimplemented(errors, FIELD(path, "sizeLimit"), NULL);
}

/* The number of sources, each of which is a message field. */
static guint count_sources(const Core__V1__VolumeSource *source)
{
    guint n = 0;
    for (guint i = 0; i < source->base.descriptor->n_fields; i++)
        n += G_STRUCT_MEMBER(void *, source, source->base.descriptor->fields[i].offset) != NULL;
    return n;
}

void volume_validate(const Core__V1__Volume *volume, const Path *path, ApiFieldErrors *errors)
{
    require_name(errors, FIELD(path, "name"), volume->name, api_name_dns_label);
    guint n = volume->volumesource ? count_sources(volume->volumesource) : 0;
    if (n == 0)
        fail_required(errors, path, "must specify a volume type");
    else if (n > 1)
        fail_forbidden(errors, path, "may not specify more than 1 volume type");
    if (n > 0 && volume->volumesource->hostpath)
        validate_host_path(volume->volumesource->hostpath, FIELD(path, "hostPath"), errors);
    if (n > 0 && volume->volumesource->emptydir)
        validate_empty_dir(volume->volumesource->emptydir, FIELD(path, "emptyDir"), errors);
}
