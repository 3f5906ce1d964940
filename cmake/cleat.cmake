# How a folder becomes a library, a component or a test. Sources are found by name, so adding a file needs no edit here.

# cleat_library(NAME DIR DEP...): DIR/**.c, without client/ctl, as the static library cleat-NAME.
function(cleat_library name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${dir}/*.c)
  list(FILTER sources EXCLUDE REGEX "/client/ctl/|/main\\.c$")
  cleat_archive(cleat-${name} "${sources}" ${ARGN})
endfunction()

# cleat_archive(TARGET SOURCES DEP...): a static library, or only its dependencies while the folder has no source file.
function(cleat_archive target sources)
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${target} PUBLIC ${ARGN})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${target} INTERFACE ${ARGN})
  endif()
endfunction()

# cleat_component(NAME DEP...): the folder NAME as the library cleat-NAME-core, and its main.c as the program cleat-NAME.
function(cleat_component name)
  cleat_library(${name}-core ${name} ${ARGN})
  add_executable(cleat-${name} ${CMAKE_SOURCE_DIR}/${name}/main.c)
  target_link_libraries(cleat-${name} PRIVATE cleat-${name}-core)
endfunction()

# cleat_command(NAME DIR DEP...): like a component, for a program called NAME in DIR.
function(cleat_command name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${dir}/*.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  cleat_archive(cleat-${name}-core "${sources}" ${ARGN})
  add_executable(${name} ${CMAKE_SOURCE_DIR}/${dir}/main.c)
  target_link_libraries(${name} PRIVATE cleat-${name}-core)
endfunction()
