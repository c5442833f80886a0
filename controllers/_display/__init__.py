"""What `ansible-playbook` itself loads, beside ansible-runner's callback. The daemon never imports it."""
