#!/usr/bin/env python3
"""Tidies nothing."""
