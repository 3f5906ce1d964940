/* Objects from YAML, for the tests of the agent. */
#pragma once

#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/codec.h"

static inline ProtobufCMessage *from_yaml(const ProtobufCMessageDescriptor *type, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    ProtobufCMessage *message = api_decode(type, yaml, strlen(yaml), "test", &error);
    g_assert_no_error(error);
    return message;
}

static inline Core__V1__Pod *pod_from_yaml(const char *yaml)
{
    return (Core__V1__Pod *)from_yaml(&core__v1__pod__descriptor, yaml);
}

/* A pod of one container with the given lines added to the container (indented by two) and to the spec. */
static inline Core__V1__Pod *pod_with(const char *container_lines, const char *spec_lines)
{
    g_autofree char *yaml = g_strdup_printf("metadata: {name: web, namespace: shop, uid: u-1, labels: {app: web}, "
                                            "annotations: {note: 'x=1'}}\n"
                                            "spec:\n"
                                            "  nodeName: n1\n"
                                            "  serviceAccountName: default\n"
                                            "%s"
                                            "  containers:\n"
                                            "  - name: main\n"
                                            "    image: busybox:1\n"
                                            "%s",
                                            spec_lines, container_lines);
    return pod_from_yaml(yaml);
}
