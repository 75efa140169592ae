/* The bus codec: any bytes are records or refused, never read beyond their end; what was read
 * writes to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buffer_t copy = BUFFER_INIT(BUS_MESSAGE_MAX);
    bus_record_t record;
    for (size_t offset = 0; offset < size;) {
        size_t start = offset;
        err_t err = ERR_INIT;
        if (bus_record_read(data, size, &offset, &record, &err) != ERR_OK) {
            if (err.code != ERR_PROTOCOL || offset != start)
                abort();
            break;
        }
        if (offset <= start || offset > size)
            abort();
        if (record.version != BUS_VERSION)
            continue;
        bus_record_t again;
        size_t zero = 0;
        buffer_clear(&copy);
        bus_record_write(&copy, &record);
        if (bus_record_read(copy.data, copy.size, &zero, &again, NULL) != ERR_OK ||
            again.verb != record.verb || again.flags != record.flags ||
            again.deadline_ms != record.deadline_ms || again.body_size != record.body_size ||
            memcmp(again.body, record.body, record.body_size) != 0)
            abort();
    }
    buffer_free(&copy);
    return 0;
}
