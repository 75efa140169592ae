#include "gateway/web/assets_table.h"

/* C has no empty arrays; the count says that this one is. */
const web_asset_t web_assets[1];
const size_t web_assets_count = 0;
