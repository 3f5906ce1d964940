/* Inside the codec, and for ctl config, whose files are YAML of no message: a text as a tree of nodes that know where they
 * stand, and a tree as text again.
 *
 * Text --codec_read--> documents --codec_decode_message--> protobuf message
 * protobuf message --codec_encode_message--> node --codec_write_json / codec_write_yaml--> text
 *
 * Nodes live in an arena and are freed with it. A YAML alias makes its node a child of several parents, so a tree may be a
 * directed acyclic graph; CODEC_MAX_DEPTH holds for the tree that unfolding it would give, CODEC_MAX_ALIASED bounds what
 * the unfolding adds. */
#pragma once

#include "lib/api/object.h"

#define CODEC_MAX_DEPTH 100
#define CODEC_MAX_ALIASED (100 * 1000) /* nodes that the aliases of a document stand for, all together */
#define CODEC_MAX_SIZE (256 * 1024 * 1024)

typedef enum { CODEC_NULL, CODEC_BOOL, CODEC_NUMBER, CODEC_STRING, CODEC_MAP, CODEC_LIST } CodecKind;

typedef struct CodecNode CodecNode;

typedef struct {
    const char *key;
    int line, column;
    CodecNode *value;
} CodecMember;

struct CodecNode {
    CodecKind kind;
    int line, column;     /* from 1, in characters; 0 for a node that was not read from a text */
    const char *text;     /* BOOL: "true" or "false"; NUMBER: a JSON number; STRING: the string */
    const char *written;  /* a plain YAML scalar as it stands in the text ("0644", "yes"); NULL otherwise */
    guint n;              /* MAP and LIST: how many */
    CodecMember *members; /* MAP, in order */
    CodecNode **items;    /* LIST */
    guint height;         /* levels below and including this one */
    guint64 size;         /* nodes below and including this one, aliases unfolded */
};

typedef struct CodecArena CodecArena;
CodecArena *codec_arena_new(void);
void codec_arena_free(CodecArena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CodecArena, codec_arena_free)
void *codec_arena_alloc(CodecArena *arena, gsize size); /* zeroed, aligned for pointers */
char *codec_arena_strndup(CodecArena *arena, const char *text, gsize size);
char *codec_arena_printf(CodecArena *arena, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Strings are copied; line and column are 0. */
CodecNode *codec_node_new(CodecArena *arena, CodecKind kind, const char *text);
/* Gives a node its children, which must be complete: items or members are copied from the array. */
void codec_node_set_items(CodecArena *arena, CodecNode *list, const GPtrArray *items);
void codec_node_set_members(CodecArena *arena, CodecNode *map, const GArray *members);
/* The last member of that name, or NULL. */
const CodecMember *codec_node_get(const CodecNode *map, const char *key);
/* "a string", "the number 3", "a list": for messages. New string. */
char *codec_node_describe(const CodecNode *node);

/* All documents of a YAML or JSON text as an array of CodecNode*. file is for messages. BAD_REQUEST with the position. */
GPtrArray *codec_read(CodecArena *arena, const char *text, gsize size, const char *file, GError **error);

/* The two readers behind it. */
GPtrArray *codec_read_json(CodecArena *arena, const char *text, gsize size, const char *file, GError **error);
GPtrArray *codec_read_yaml(CodecArena *arena, const char *text, gsize size, const char *file, GError **error);

/* What a plain YAML scalar is, as Kubernetes' reader (a YAML 1.1 one) takes it: null, yes/no/on/off, 0644, 1e3, ...; sets
 * node->kind and node->text (for a string the text itself, not a copy). FALSE for a number that JSON cannot hold (.inf, .nan). */
gboolean codec_yaml_resolve(CodecArena *arena, const char *text, CodecNode *node);

/* Appends. indent: spaces per level; 0 for one line. */
void codec_write_json(GString *out, const CodecNode *node, guint indent);
void codec_write_yaml(GString *out, const CodecNode *node);

/* Errors of a text, gathered so that a user can mend several at once. */
typedef struct {
    const char *file; /* borrowed */
    GString *path;    /* where the decoder is: "spec.containers[0]" */
    GPtrArray *paths; /* char* of each error, */
    GPtrArray *lines; /* and what is said of it */
    guint n;          /* also those beyond CODEC_MAX_ERRORS, which are counted only */
} CodecErrors;
#define CODEC_MAX_ERRORS 10

void codec_errors_init(CodecErrors *errors, const char *file);
void codec_errors_done(CodecErrors *errors);
void codec_errors_add(CodecErrors *errors, int line, int column, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* TRUE if there is none; else FALSE and one BAD_REQUEST error with a line and a cause for each. */
gboolean codec_errors_check(const CodecErrors *errors, GError **error);
/* Extends the path by ".name" or "[index]"; returns what codec_path_pop() needs to take it back. */
gsize codec_path_push(CodecErrors *errors, const char *name);
gsize codec_path_push_index(CodecErrors *errors, guint index);
void codec_path_pop(CodecErrors *errors, gsize mark);

/* The name nearest to <name> if it is near enough to be a slip of the pen, or NULL. */
const char *codec_nearest(const char *name, const char *const *known, gsize n);

/* FALSE, with an error, if the map has had a member of this name: seen (of g_str_hash) collects them. */
gboolean codec_take_once(GHashTable *seen, const CodecMember *member, CodecErrors *errors);

/* A message of the type. After errors (in <errors>) it is incomplete, or NULL. */
ProtobufCMessage *codec_decode_message(const ProtobufCMessageDescriptor *type, const CodecNode *node,
                                       CodecErrors *errors);
CodecNode *codec_encode_message(CodecArena *arena, const ProtobufCMessage *message);

/* Types whose JSON form is not that of their fields, one row each. */
typedef struct {
    const ProtobufCMessageDescriptor *type;
    const char *expects; /* for messages: "a quantity such as 500m or 2Gi" */
    /* Fills a new message. FALSE if the node is no such value; then nothing is set that needs freeing on its own. */
    gboolean (*decode)(const CodecNode *node, ProtobufCMessage *message, CodecErrors *errors);
    CodecNode *(*encode)(CodecArena *arena, const ProtobufCMessage *message);
} CodecSpecial;
const CodecSpecial *codec_special(const ProtobufCMessageDescriptor *type); /* NULL for most types */

/* A message field whose own fields appear in its parent's object. */
gboolean codec_field_is_inline(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field);
/* A repeated field of map entries {key = 1: string, value = 2}. */
gboolean codec_field_is_map(const ProtobufCFieldDescriptor *field);
/* The size of one value of a field in memory. */
gsize codec_field_size(const ProtobufCFieldDescriptor *field);
