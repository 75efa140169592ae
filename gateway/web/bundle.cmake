# Brings the bundled web pages into a build directory; run as a script by the custom command in CMakeLists.txt.
#   WEB_DIR       this folder; its node_modules/ and dist/ are shared by all build directories
#   SOURCES_FILE  the files that the pages are made from, one a line
#   OUTPUT_DIR    where the result is copied to
#   SCRATCH_DIR   of this build directory alone
# dist/stamp is a digest over all sources, so that dist/ is made anew exactly when they differ. The lock keeps build
# directories that are built at the same time out of each other's way.
cmake_minimum_required(VERSION 3.25)

function(digest_of_sources result)
    file(STRINGS ${SOURCES_FILE} sources)
    list(SORT sources)
    set(digests "")
    foreach(source IN LISTS sources)
        file(SHA256 ${source} digest)
        file(RELATIVE_PATH name ${WEB_DIR} ${source})
        string(APPEND digests "${digest} ${name}\n")
    endforeach()
    string(SHA256 digest "${digests}")
    set(${result} ${digest} PARENT_SCOPE)
endfunction()

# True if dist/ was made from these sources.
function(is_up_to_date result digest)
    set(stamp "")
    if(EXISTS ${WEB_DIR}/dist/stamp)
        file(READ ${WEB_DIR}/dist/stamp stamp)
    endif()
    string(COMPARE EQUAL "${stamp}" "${digest}" equal)
    set(${result} ${equal} PARENT_SCOPE)
endfunction()

function(run what)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${WEB_DIR}
        RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "${what} failed (${status}):\n${output}")
    endif()
endfunction()

# npm wants a place for its cache, which a user without a home directory does not have.
function(install_packages npm)
    set(installed ${WEB_DIR}/node_modules/.package-lock.json)
    if(EXISTS ${installed} AND ${installed} IS_NEWER_THAN ${WEB_DIR}/package-lock.json)
        return()
    endif()
    set(options --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error)
    execute_process(COMMAND sh -c "test -w \"$HOME\"" RESULT_VARIABLE has_no_home)
    if(has_no_home)
        list(APPEND options --cache ${SCRATCH_DIR}/npm-cache)
    endif()
    message(STATUS "web: npm ci")
    run("npm ci in ${WEB_DIR}" ${npm} ci ${options})
endfunction()

function(make_dist digest)
    find_program(node NAMES node nodejs)
    find_program(npm NAMES npm)
    if(NOT node OR NOT npm)
        message(FATAL_ERROR "The web pages need node (18 or newer) and npm to be bundled. "
            "Install them (apt install nodejs npm), or configure with -D PARLEY_WEB=OFF to build without web pages.")
    endif()
    execute_process(COMMAND sh -c "test -w \"${WEB_DIR}\"" RESULT_VARIABLE is_read_only)
    if(is_read_only)
        message(FATAL_ERROR "The web pages must be bundled, but ${WEB_DIR} is not writable for this user. "
            "Build once as its owner, or configure with -D PARLEY_WEB=OFF to build without web pages.")
    endif()
    install_packages(${npm})
    file(REMOVE_RECURSE ${WEB_DIR}/dist)
    run("bundling the web pages" ${node} build.mjs dist)
    file(WRITE ${WEB_DIR}/dist/stamp ${digest})
endfunction()

digest_of_sources(digest)
is_up_to_date(ready ${digest})
set(lock ${WEB_DIR}/.bundle.lock)
file(LOCK ${lock} GUARD PROCESS TIMEOUT 600 RESULT_VARIABLE locked)
if(NOT locked EQUAL 0 AND NOT ready)
    message(FATAL_ERROR "The lock ${lock} could not be taken (${locked}). Is ${WEB_DIR} writable for this user?")
endif()
is_up_to_date(ready ${digest})
if(NOT ready)
    make_dist(${digest})
endif()
file(REMOVE_RECURSE ${OUTPUT_DIR})
file(COPY ${WEB_DIR}/dist/ DESTINATION ${OUTPUT_DIR})
file(TOUCH ${OUTPUT_DIR}/assets_table.c ${OUTPUT_DIR}/assets_data.S)
