# SPDX-License-Identifier: Apache-2.0
#
# Completes the output of protoc for one file: cmake -DBASE=sub/foo -P finish-generated.cmake
#
# It runs in the directory of the generated code, after protoc. It writes an empty foo.ttrpc.cc and
# foo.ttrpc.h if protoc-gen-cpp-ttrpc wrote none, because a build system has to know its files in
# advance. It turns protoc's list of imports, foo.imports, into foo.d, which make and ninja can read
# if there are spaces in it.
cmake_policy(VERSION 3.20...3.31)

foreach(name "${BASE}.ttrpc.h" "${BASE}.ttrpc.cc")
  if(NOT EXISTS "${CMAKE_CURRENT_BINARY_DIR}/${name}")
    file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/${name}" "// ${BASE}.proto has no services.\n")
  endif()
endforeach()

# The text is `OUTPUTS: IMPORTS`, one file on each line, with a backslash at the end of all lines but
# the last. The outputs are relative paths without a colon.
file(READ "${CMAKE_CURRENT_BINARY_DIR}/${BASE}.imports" text)
string(REGEX REPLACE "^[^:]*: " "" text "${text}")
string(REGEX REPLACE "[ \t]*\\\\?\n[ \t]*" ";" imports "${text}")
set(rule "")
foreach(import IN LISTS imports)
  if(import)
    string(REPLACE "$" "$$" import "${import}")
    string(REGEX REPLACE "([ #])" "\\\\\\1" import "${import}")
    string(APPEND rule " \\\n  ${import}")
  endif()
endforeach()
string(REGEX REPLACE "([ #])" "\\\\\\1" target "${CMAKE_CURRENT_BINARY_DIR}/${BASE}.pb.cc")
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/${BASE}.d" "${target}:${rule}\n")
