# Makes embedded.S and embedded.c in the build folder: proto/chat.graphql and all of migrations/*.sql as bytes,
# and the table of migrations with their checksums.
file(GLOB migrations CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/migrations/*.sql)
list(SORT migrations)
set(sdl ${CMAKE_SOURCE_DIR}/proto/chat.graphql)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${migrations} ${sdl})

set(bytes "    .section .rodata\n")
function(embed symbol file)
    string(APPEND bytes
        "    .global ${symbol}\n${symbol}:\n    .incbin \"${file}\"\n    .byte 0\n")
    set(bytes "${bytes}" PARENT_SCOPE)
endfunction()

embed(embedded_sdl ${sdl})
set(declarations "")
set(rows "")
set(expected 0)
foreach(file ${migrations})
    get_filename_component(name ${file} NAME_WE)
    if(NOT name MATCHES "^0*([1-9][0-9]*)_[a-z0-9_]+$")
        message(FATAL_ERROR "${file}: a migration's name is like 001_log.sql")
    endif()
    math(EXPR expected "${expected} + 1")
    set(version ${CMAKE_MATCH_1})
    if(NOT version EQUAL expected)
        message(FATAL_ERROR "migration ${expected} is missing")
    endif()
    file(SHA256 ${file} checksum)
    embed(migration_${version} ${file})
    string(APPEND declarations "extern const char migration_${version}[];\n")
    string(APPEND rows "    {${version}, \"${name}\",\n     \"${checksum}\",\n     migration_${version}},\n")
endforeach()
string(APPEND bytes "    .section .note.GNU-stack,\"\",%progbits\n")

file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/embedded.S CONTENT "@bytes@" @ONLY)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/embedded.c CONTENT [[
#include "store/migrations.h"

@declarations@
static const migration_t s_migrations[] = {
@rows@};

const migration_t *migrations_all(size_t *count)
{
    *count = sizeof s_migrations / sizeof s_migrations[0];
    return s_migrations;
}
]] @ONLY)
set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/embedded.S PROPERTIES
    OBJECT_DEPENDS "${sdl};${migrations}")
