// TGD_API marks what a shared library exports; everything else stays hidden. It belongs on free functions, on classes with
// members defined in src/, and on every exception class, so that a program can catch what the library throws.
// The build sets TGD_STATIC_DEFINE for the static library and its users.
#pragma once

#if defined(TGD_STATIC_DEFINE)
#define TGD_API
#elif defined(_WIN32)
#if defined(TGD_BUILDING_LIBRARY)
#define TGD_API __declspec(dllexport)
#else
#define TGD_API __declspec(dllimport)
#endif
#else
#define TGD_API __attribute__((visibility("default")))
#endif
