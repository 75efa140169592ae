#include "gateway/web/assets.h"

#include "gateway/web/assets_table.h"

#include <stdlib.h>
#include <string.h>

static int s_compare(const void *path, const void *asset)
{
    return strcmp(path, ((const web_asset_t *)asset)->path);
}

const web_asset_t *web_asset_find(const char *path)
{
    return bsearch(path, web_assets, web_assets_count, sizeof web_assets[0], s_compare);
}
