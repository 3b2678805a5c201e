# SPDX-License-Identifier: Apache-2.0
#
# ttrpc_generate(TARGET target PROTOS file… [IMPORT_DIRS directory…] [PLUGIN_OPTIONS option…])
#
# Generates the code of .proto files and adds it to a target that exists: NAME.pb.cc with the
# messages, and NAME.ttrpc.cc with the services. The target and those that link it can include
# NAME.pb.h and NAME.ttrpc.h, and get protobuf's library. The target itself has to link
# ttrpc::ttrpc or ttrpc::ttrpc-static.
#
#   PROTOS          Relative paths begin at the current source directory.
#   IMPORT_DIRS     The directories at which `import` statements begin (protoc -I). Each of PROTOS
#                   must be below one of them, and its path from there is the NAME above. Default:
#                   the current source directory.
#   PLUGIN_OPTIONS  Parameters of protoc-gen-cpp-ttrpc, such as prefix=TTRPC.
#
# A file is generated again when it, a file that it imports, or a generator has changed.

# Stops CMake if the target cannot get sources here. Sets `result` to its real name.
function(_ttrpc_check_target target result)
  if(NOT TARGET ${target})
    message(FATAL_ERROR "ttrpc_generate: there is no target \"${target}\"; call add_library() or "
      "add_executable() first")
  endif()
  get_target_property(real ${target} ALIASED_TARGET)
  if(real)
    set(target ${real})
  endif()
  get_target_property(imported ${target} IMPORTED)
  get_target_property(type ${target} TYPE)
  if(imported OR type STREQUAL "INTERFACE_LIBRARY" OR type STREQUAL "UTILITY")
    message(FATAL_ERROR "ttrpc_generate: the target \"${target}\" compiles nothing; use a library "
      "(STATIC, SHARED or OBJECT) or an executable of this project")
  endif()
  # CMake connects a rule only to targets of its own directory.
  get_target_property(directory ${target} SOURCE_DIR)
  if(NOT directory STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "ttrpc_generate: the target \"${target}\" belongs to ${directory}; call "
      "ttrpc_generate() there")
  endif()
  set(${result} ${target} PARENT_SCOPE)
endfunction()

function(_ttrpc_check_programs)
  if(NOT TTRPC_PROTOC_EXECUTABLE)
    message(FATAL_ERROR "ttrpc_generate: protoc was not found; install protobuf-compiler, or set "
      "TTRPC_PROTOC_EXECUTABLE to its path")
  endif()
  if(NOT TTRPC_PLUGIN_EXECUTABLE)
    message(FATAL_ERROR "ttrpc_generate: protoc-gen-cpp-ttrpc was not found; install it (Debian: "
      "libttrpc-dev; from the sources: meson's option compiler), or set TTRPC_PLUGIN_EXECUTABLE "
      "to its path")
  endif()
endfunction()

# Sets `result` to the path of a file as its importers write it.
function(_ttrpc_import_name file import_dirs result)
  foreach(directory IN LISTS import_dirs)
    file(RELATIVE_PATH name "${directory}" "${file}")
    if(NOT name MATCHES "^\\.\\./" AND NOT IS_ABSOLUTE "${name}")
      set(${result} "${name}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  list(JOIN import_dirs ", " where)
  message(FATAL_ERROR "ttrpc_generate: ${file} is not below an import directory (${where}); add the "
    "directory at which its imports begin to IMPORT_DIRS")
endfunction()

# Adds the rule for one file. The plugin writes nothing for a file without services, and protoc does
# not quote spaces in the list of imports; finish-generated.cmake makes up for both.
function(_ttrpc_add_rule target file name import_dirs options)
  set(out "${CMAKE_CURRENT_BINARY_DIR}/ttrpc_generate/${target}")
  string(REGEX REPLACE "\\.proto$" "" base "${name}")
  set(generated "${base}.pb.cc" "${base}.pb.h" "${base}.ttrpc.cc" "${base}.ttrpc.h")
  list(TRANSFORM generated PREPEND "${out}/")
  list(TRANSFORM import_dirs PREPEND "-I" OUTPUT_VARIABLE import_options)
  list(JOIN options "," options)
  file(MAKE_DIRECTORY "${out}")
  # protoc takes what precedes a colon in --cpp_out for options, so the directory is not written
  # there.
  add_custom_command(
    OUTPUT ${generated}
    COMMAND "${CMAKE_COMMAND}" -E rm -f "${base}.ttrpc.cc" "${base}.ttrpc.h"
    COMMAND "${TTRPC_PROTOC_EXECUTABLE}" ${import_options}
            "--plugin=protoc-gen-cpp-ttrpc=${TTRPC_PLUGIN_EXECUTABLE}" --cpp_out=.
            "--cpp-ttrpc_out=${options}:." "--dependency_out=${base}.imports" "${file}"
    COMMAND "${CMAKE_COMMAND}" "-DBASE=${base}"
            -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/finish-generated.cmake"
    DEPENDS "${file}" "${TTRPC_PROTOC_EXECUTABLE}" "${TTRPC_PLUGIN_EXECUTABLE}"
    DEPFILE "${out}/${base}.d"
    WORKING_DIRECTORY "${out}"
    COMMENT "Generating the code of ${name}"
    VERBATIM)
  # The generated code is not the project's to lint, and each file has the same private names.
  set_source_files_properties(${generated} PROPERTIES
    SKIP_AUTOGEN ON SKIP_LINTING ON SKIP_UNITY_BUILD_INCLUSION ON)
  set_source_files_properties("${out}/${base}.pb.cc" "${out}/${base}.ttrpc.cc" PROPERTIES
    COMPILE_OPTIONS -w)
  target_sources(${target} PRIVATE ${generated})
endfunction()

function(ttrpc_generate)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "TARGET" "PROTOS;IMPORT_DIRS;PLUGIN_OPTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ttrpc_generate: unknown argument \"${arg_UNPARSED_ARGUMENTS}\"; the "
      "arguments are TARGET, PROTOS, IMPORT_DIRS and PLUGIN_OPTIONS")
  endif()
  if(NOT arg_TARGET OR NOT arg_PROTOS)
    message(FATAL_ERROR "ttrpc_generate: TARGET and PROTOS are required: "
      "ttrpc_generate(TARGET greeter PROTOS greeter.proto)")
  endif()
  _ttrpc_check_target("${arg_TARGET}" target)
  _ttrpc_check_programs()

  if(NOT arg_IMPORT_DIRS)
    set(arg_IMPORT_DIRS "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  set(import_dirs "")
  foreach(directory IN LISTS arg_IMPORT_DIRS)
    get_filename_component(directory "${directory}" ABSOLUTE)
    if(NOT IS_DIRECTORY "${directory}")
      message(FATAL_ERROR "ttrpc_generate: IMPORT_DIRS: ${directory} is not a directory")
    endif()
    list(APPEND import_dirs "${directory}")
  endforeach()

  foreach(file IN LISTS arg_PROTOS)
    get_filename_component(file "${file}" ABSOLUTE)
    get_source_file_property(is_generated "${file}" GENERATED)
    if(NOT EXISTS "${file}" AND NOT is_generated)
      message(FATAL_ERROR "ttrpc_generate: PROTOS: ${file} does not exist")
    endif()
    if(NOT file MATCHES "\\.proto$")
      message(FATAL_ERROR "ttrpc_generate: PROTOS: the name of ${file} must end in .proto")
    endif()
    _ttrpc_import_name("${file}" "${import_dirs}" name)
    _ttrpc_add_rule(${target} "${file}" "${name}" "${import_dirs}" "${arg_PLUGIN_OPTIONS}")
  endforeach()

  # SYSTEM: the project's warnings do not apply to generated headers.
  target_include_directories(${target} SYSTEM PUBLIC
    "$<BUILD_INTERFACE:${CMAKE_CURRENT_BINARY_DIR}/ttrpc_generate/${target}>")
  # target_link_libraries() would refuse to be mixed with the caller's, if only one of them uses
  # PUBLIC or PRIVATE.
  set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES protobuf::libprotobuf)
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)
endfunction()
