#include "client/ctl/merge.h"

#include <glib.h>

/* Lines of JSON: what the user said, says now, what is live, and what becomes of it. */
static const struct {
    const char *name;
    const char *original, *modified, *live, *merged;
} cases[] = {
    {"nothing changed", "{'a':1}", "{'a':1}", "{'a':1,'uid':'x'}", "{'a':1,'uid':'x'}"},
    {"a value changed", "{'a':1}", "{'a':2}", "{'a':1,'b':3}", "{'a':2,'b':3}"},
    {"a field given up", "{'a':1,'b':2}", "{'a':1}", "{'a':1,'b':2,'c':3}", "{'a':1,'c':3}"},
    {"a field given up that others changed", "{'b':2}", "{}", "{'b':9}", "{}"},
    {"a field given up that is gone already", "{'b':2}", "{}", "{'c':1}", "{'c':1}"},
    {"a field added", "{}", "{'d':{'e':1}}", "{'a':1}", "{'a':1,'d':{'e':1}}"},
    {"drift is undone", "{'a':1}", "{'a':1}", "{'a':5}", "{'a':1}"},
    {"nested", "{'s':{'a':1,'b':2}}", "{'s':{'a':1}}", "{'s':{'a':1,'b':2,'z':0}}", "{'s':{'a':1,'z':0}}"},
    {"never applied before: nothing is removed", "{}", "{'a':1}", "{'a':0,'b':2}", "{'a':1,'b':2}"},
    {"object instead of scalar", "{'a':1}", "{'a':{'b':1}}", "{'a':1}", "{'a':{'b':1}}"},
    {"a list without names is replaced", "{'args':['a']}", "{'args':['b','c']}", "{'args':['a','x']}",
     "{'args':['b','c']}"},
    {"containers keep their defaults", "{'containers':[{'name':'a','image':'1'}]}",
     "{'containers':[{'name':'a','image':'2'}]}",
     "{'containers':[{'name':'a','image':'1','imagePullPolicy':'Always'}]}",
     "{'containers':[{'name':'a','image':'2','imagePullPolicy':'Always'}]}"},
    {"an item given up, one of others kept, one new", "{'env':[{'name':'A'},{'name':'B'}]}",
     "{'env':[{'name':'B'},{'name':'C'}]}", "{'env':[{'name':'A'},{'name':'X'},{'name':'B','value':'1'}]}",
     "{'env':[{'name':'X'},{'name':'B','value':'1'},{'name':'C'}]}"},
    {"a new order is taken over", "{'env':[{'name':'A'},{'name':'B'}]}", "{'env':[{'name':'B'},{'name':'A'}]}",
     "{'env':[{'name':'A'},{'name':'B'}]}", "{'env':[{'name':'B'},{'name':'A'}]}"},
    {"a field of an item given up", "{'env':[{'name':'A','value':'1'}]}", "{'env':[{'name':'A'}]}",
     "{'env':[{'name':'A','value':'1'}]}", "{'env':[{'name':'A'}]}"},
    {"ports of one number and two protocols", "{'ports':[{'containerPort':80}]}",
     "{'ports':[{'containerPort':80},{'containerPort':80,'protocol':'UDP'}]}",
     "{'ports':[{'containerPort':80,'protocol':'TCP'}]}",
     "{'ports':[{'containerPort':80,'protocol':'TCP'},{'containerPort':80,'protocol':'UDP'}]}"},
    {"service ports keep their node port", "{'ports':[{'port':80}]}", "{'ports':[{'port':80,'targetPort':8080}]}",
     "{'ports':[{'port':80,'nodePort':30000}]}", "{'ports':[{'port':80,'nodePort':30000,'targetPort':8080}]}"},
    {"two items of one name: replaced as a whole", "{}", "{'env':[{'name':'A'},{'name':'A','value':'1'}]}",
     "{'env':[{'name':'Z'}]}", "{'env':[{'name':'A'},{'name':'A','value':'1'}]}"},
    {"finalizers are a set", "{'finalizers':['a']}", "{'finalizers':['b']}", "{'finalizers':['a','x']}",
     "{'finalizers':['x','b']}"},
    {"a strategy's parameters go with it", "{'strategy':{'type':'RollingUpdate'}}", "{'strategy':{'type':'Recreate'}}",
     "{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}", "{'strategy':{'type':'Recreate'}}"},
    {"but stay while it does", "{'strategy':{'type':'RollingUpdate'}}", "{'strategy':{'type':'RollingUpdate'}}",
     "{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}",
     "{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}"},
    {"a volume has one source", "{}", "{'volumes':[{'name':'v','configMap':{'name':'c'}}]}",
     "{'volumes':[{'name':'v','emptyDir':{}}]}", "{'volumes':[{'name':'v','configMap':{'name':'c'}}]}"},
};

static json_t *parse(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "'", -1);
    g_autofree char *quoted = g_strjoinv("\"", parts);
    json_t *tree = json_loads(quoted, 0, NULL);
    g_assert_nonnull(tree);
    return tree;
}

static void test_cases(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].name);
        json_t *original = parse(cases[i].original), *modified = parse(cases[i].modified);
        json_t *live = parse(cases[i].live), *wanted = parse(cases[i].merged);
        json_t *merged = merge_three_way(original, modified, live);
        char *got_text = json_dumps(merged, JSON_SORT_KEYS), *wanted_text = json_dumps(wanted, JSON_SORT_KEYS);
        g_assert_cmpstr(got_text, ==, wanted_text);

        /* applying the same again changes nothing */
        json_t *again = merge_three_way(modified, modified, merged);
        g_assert_true(json_equal(again, merged));
        free(got_text);
        free(wanted_text);
        json_t *all[] = {original, modified, live, wanted, merged, again};
        for (gsize j = 0; j < G_N_ELEMENTS(all); j++)
            json_decref(all[j]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/merge", test_cases);
    return g_test_run();
}
