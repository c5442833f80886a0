#!/bin/sh
rm -rf -- /var/tmp/cache/*
