/* Runs a fuzz target on every file of the folders given, for builds without libFuzzer. Fails when there is none. */
#include <stdio.h>

#include "tests/fuzz/fuzz.h"

static guint replay_folder(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
    guint n = 0;
    for (const char *name; dir && (name = g_dir_read_name(dir)); n++) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_autofree char *data = NULL;
        gsize size;
        if (!g_file_get_contents(file, &data, &size, &error))
            break;
        fprintf(stderr, "%s\n", file); /* the last one named is the one that fails */
        g_autofree guint8 *exact = g_memdup2(data, size); /* no NUL after the end: reading past it is seen */
        LLVMFuzzerTestOneInput(exact, size);
    }
    if (error)
        g_error("%s", error->message);
    return n;
}

int main(int argc, char **argv)
{
    guint n = 0;
    for (int i = 1; i < argc; i++)
        n += replay_folder(argv[i]);
    printf("%u inputs\n", n);
    return n > 0 ? 0 : 1;
}
