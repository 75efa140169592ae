add_executable(parley-gateway ${CMAKE_CURRENT_SOURCE_DIR}/main.c ${CMAKE_CURRENT_SOURCE_DIR}/options.c
    ${CMAKE_CURRENT_SOURCE_DIR}/commands.c ${CMAKE_CURRENT_SOURCE_DIR}/schema_source.c)
target_link_libraries(parley-gateway PRIVATE parley_flags parley_realtime parley_http parley_feed
    parley_auth parley_gateway_bus parley_graphql parley_web parley_common)
